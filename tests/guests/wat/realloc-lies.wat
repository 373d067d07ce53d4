;; Offers room for an argument outside of its memory.
(component
  (core module $guest
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const -16)
    (func (export "run") (param i32 i32) (result i32) (local.get 1)))
  (core instance $instance (instantiate $guest))
  (func (export "run") (param "text" string) (result u32)
    (canon lift (core func $instance "run") (memory (core memory $instance "memory"))
      (realloc (core func $instance "realloc")))))
