;; A future in a signature: the function can't be a tool, its neighbour can. Needs component model async.
(component
  (core module $guest
    (func (export "wait") (param i32))
    (func (export "run") (result i32) i32.const 7))
  (core instance $instance (instantiate $guest))
  (func (export "wait") (param "value" (future u8)) (canon lift (core func $instance "wait")))
  (func (export "run") (result u32) (canon lift (core func $instance "run"))))
