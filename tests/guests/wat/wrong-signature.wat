;; Imports a well-known function with another signature.
(component
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance
    (export "now" (func (param "zone" string) (result string)))))
  (core module $guest
    (func (export "run") (result i32) i32.const 7))
  (core instance $instance (instantiate $guest))
  (func (export "run") (result u32) (canon lift (core func $instance "run"))))
