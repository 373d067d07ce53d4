;; Fails with a text that is not UTF-8.
(component
  (core module $guest
    (memory (export "memory") 1)
    (data (i32.const 0) "\01\00\00\00\10\00\00\00\02\00\00\00")
    (data (i32.const 16) "\ff\fe")
    (func (export "run") (result i32) i32.const 0))
  (core instance $instance (instantiate $guest))
  (func (export "run") (result (result string (error string)))
    (canon lift (core func $instance "run") (memory (core memory $instance "memory")))))
