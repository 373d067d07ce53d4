;; A table of 100 million elements from the start: memory by another name.
(component
  (core module $guest
    (table 100000000 funcref)
    (func (export "run") (result i32) i32.const 7))
  (core instance $instance (instantiate $guest))
  (func (export "run") (result u32) (canon lift (core func $instance "run"))))
