;; Divides by zero, which is a trap.
(component
  (core module $guest
    (func (export "run") (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0))))
  (core instance $instance (instantiate $guest))
  (func (export "run") (param "by" u32) (result u32) (canon lift (core func $instance "run"))))
