;; Answers with a character that is half of one.
(component
  (core module $guest
    (func (export "run") (result i32) i32.const 0xd800))
  (core instance $instance (instantiate $guest))
  (func (export "run") (result char) (canon lift (core func $instance "run"))))
