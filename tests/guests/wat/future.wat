;; A future in a signature: the whole component is refused at load, also its function without one, since
;; futures need component model async, which is not enabled.
(component
  (core module $guest
    (func (export "wait") (param i32))
    (func (export "run") (result i32) i32.const 7))
  (core instance $instance (instantiate $guest))
  (func (export "wait") (param "value" (future u8)) (canon lift (core func $instance "wait")))
  (func (export "run") (result u32) (canon lift (core func $instance "run"))))
