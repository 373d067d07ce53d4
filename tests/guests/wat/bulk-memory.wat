;; Fills its memory again and again by one instruction: 32 MiB for next to no fuel.
(component
  (core module $guest
    (memory (export "memory") 512)
    (func (export "run") (result i32)
      (loop $again
        (memory.fill (i32.const 0) (i32.const 165) (i32.const 33554432))
        (br $again))
      i32.const 1))
  (core instance $instance (instantiate $guest))
  (func (export "run") (result u32) (canon lift (core func $instance "run"))))
