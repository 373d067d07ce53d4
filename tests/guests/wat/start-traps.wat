;; Traps while it is instantiated.
(component
  (core module $guest
    (func $trap unreachable)
    (start $trap)
    (func (export "run") (result i32) i32.const 7))
  (core instance $instance (instantiate $guest))
  (func (export "run") (result u32) (canon lift (core func $instance "run"))))
