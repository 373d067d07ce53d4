;; Recursion without a linear memory: only the engine's own stack limit can end it.
(component
  (core module $guest
    (func $descend (export "run") (result i32)
      (i32.add (call $descend) (i32.const 1))))
  (core instance $instance (instantiate $guest))
  (func (export "run") (result u32) (canon lift (core func $instance "run"))))
