;; Answers with a list of texts, the second of which is not UTF-8.
(component
  (core module $guest
    (memory (export "memory") 1)
    (data (i32.const 0) "\10\00\00\00\02\00\00\00")
    (data (i32.const 16) "\20\00\00\00\02\00\00\00\22\00\00\00\02\00\00\00")
    (data (i32.const 32) "ok\ff\fe")
    (func (export "run") (result i32) i32.const 0))
  (core instance $instance (instantiate $guest))
  (func (export "run") (result (list string))
    (canon lift (core func $instance "run") (memory (core memory $instance "memory")))))
