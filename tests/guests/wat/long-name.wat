;; A function whose name is longer than the 64 characters of a tool's name.
(component
  (core module $guest
    (func (export "run") (result i32) i32.const 7))
  (core instance $instance (instantiate $guest))
  (func (export "name-name-name-name-name-name-name-name-name-name-name-name-name-name-name") (result u32)
    (canon lift (core func $instance "run"))))
