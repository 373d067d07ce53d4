;; Answers with a text that would be 4 GiB long, of which its memory has 64 KiB.
(component
  (core module $guest
    (memory (export "memory") 1)
    (data (i32.const 0) "\10\00\00\00\ff\ff\ff\ff")
    (data (i32.const 16) "hello")
    (func (export "run") (result i32) i32.const 0))
  (core instance $instance (instantiate $guest))
  (func (export "run") (result string)
    (canon lift (core func $instance "run") (memory (core memory $instance "memory")))))
