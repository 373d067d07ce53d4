;; Maps with text and with numbers as keys. Each function gives back what it was given.
(component
  (core module $guest
    (memory (export "memory") 2)
    (global $free (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32) (param $size i32) (result i32)
      (local $at i32)
      (local.set $at (global.get $free))
      (global.set $free
        (i32.and (i32.add (i32.add (global.get $free) (local.get $size)) (i32.const 7)) (i32.const -8)))
      (local.get $at))
    (func (export "echo") (param i32 i32) (result i32)
      (i32.store (i32.const 0) (local.get 0))
      (i32.store (i32.const 4) (local.get 1))
      (i32.const 0)))
  (core instance $instance (instantiate $guest))
  (func (export "by-text") (param "value" (map string u32)) (result (map string u32))
    (canon lift (core func $instance "echo") (memory (core memory $instance "memory"))
      (realloc (core func $instance "realloc"))))
  (func (export "by-number") (param "value" (map u64 bool)) (result (map u64 bool))
    (canon lift (core func $instance "echo") (memory (core memory $instance "memory"))
      (realloc (core func $instance "realloc")))))
