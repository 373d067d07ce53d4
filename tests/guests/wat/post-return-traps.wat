;; Answers, then traps in the clean-up that follows an answer.
(component
  (core module $guest
    (memory (export "memory") 1)
    (data (i32.const 0) "\10\00\00\00\05\00\00\00")
    (data (i32.const 16) "hello")
    (func (export "run") (result i32) i32.const 0)
    (func (export "cleanup") (param i32) unreachable))
  (core instance $instance (instantiate $guest))
  (func (export "run") (result string)
    (canon lift (core func $instance "run") (memory (core memory $instance "memory"))
      (post-return (core func $instance "cleanup")))))
