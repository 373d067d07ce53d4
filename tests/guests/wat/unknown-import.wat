;; Imports an interface that no host has. Nothing can be linked to it, so it can't load.
(component
  (import "acme:warehouse/stock@1.0.0" (instance $stock
    (export "count" (func (param "item" string) (result u32)))))
  (core module $guest
    (func (export "run") (result i32) i32.const 7))
  (core instance $instance (instantiate $guest))
  (func (export "run") (result u32) (canon lift (core func $instance "run"))))
