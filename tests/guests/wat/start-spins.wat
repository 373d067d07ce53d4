;; Loops for ever while it is instantiated, before any tool is called.
(component
  (core module $guest
    (func $spin (loop $again (br $again)))
    (start $spin)
    (func (export "run") (result i32) i32.const 7))
  (core instance $instance (instantiate $guest))
  (func (export "run") (result u32) (canon lift (core func $instance "run"))))
