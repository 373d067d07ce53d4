;; Two interfaces export functions of the same name: both would become the tool `run`.
(component
  (core module $guest
    (func (export "seven") (result i32) i32.const 7)
    (func (export "eight") (result i32) i32.const 8))
  (core instance $instance (instantiate $guest))
  (func $seven (result u32) (canon lift (core func $instance "seven")))
  (func $eight (result u32) (canon lift (core func $instance "eight")))
  (instance $first (export "run" (func $seven)))
  (instance $second (export "run" (func $eight)))
  (export "acme:first/things@1.0.0" (instance $first))
  (export "acme:second/things@1.0.0" (instance $second)))
