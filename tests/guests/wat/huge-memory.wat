;; A memory of 1 GiB from the start: over the limit before the guest runs.
(component
  (core module $guest
    (memory 16384)
    (func (export "run") (result i32) i32.const 7))
  (core instance $instance (instantiate $guest))
  (func (export "run") (result u32) (canon lift (core func $instance "run"))))
