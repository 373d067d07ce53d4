;; A list whose type names its length. Gives back what it was given.
(component
  (core module $guest
    (memory (export "memory") 1)
    (func (export "echo") (param i32 i32 i32) (result i32)
      (i32.store16 (i32.const 0) (local.get 0))
      (i32.store16 (i32.const 2) (local.get 1))
      (i32.store16 (i32.const 4) (local.get 2))
      (i32.const 0)))
  (core instance $instance (instantiate $guest))
  (func (export "echo") (param "value" (list u16 3)) (result (list u16 3))
    (canon lift (core func $instance "echo") (memory (core memory $instance "memory")))))
