;; Imports a function that its well-known interface does not have.
(component
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance
    (export "rewind" (func (param "by" u64)))))
  (core module $guest
    (func (export "run") (result i32) i32.const 7))
  (core instance $instance (instantiate $guest))
  (func (export "run") (result u32) (canon lift (core func $instance "run"))))
