;; Reads the configuration, one value or all of it, and answers with what the host said.
(component
  (import "wasi:config/store@0.2.0-rc.1" (instance $config
    (type $failed0 (variant (case "upstream" string) (case "io" string)))
    (export "error" (type $failed (eq $failed0)))
    (export "get" (func (param "key" string) (result (result (option string) (error $failed)))))
    (export "get-all" (func (result (result (list (tuple string string)) (error $failed)))))))
  (core module $memory
    (memory (export "memory") 2)
    (global $free (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32) (param $size i32) (result i32)
      (local $at i32)
      (local.set $at (global.get $free))
      (global.set $free
        (i32.and (i32.add (i32.add (global.get $free) (local.get $size)) (i32.const 7)) (i32.const -8)))
      (local.get $at)))
  (core instance $mem (instantiate $memory))
  (alias core export $mem "memory" (core memory $bytes))
  (alias core export $mem "realloc" (core func $realloc))
  (core func $get (canon lower (func $config "get") (memory $bytes) (realloc $realloc)))
  (core func $get-all (canon lower (func $config "get-all") (memory $bytes) (realloc $realloc)))
  (core module $guest
    (import "host" "get" (func $get (param i32 i32 i32)))
    (import "host" "get-all" (func $get-all (param i32)))
    (func (export "get") (param i32 i32) (result i32)
      (call $get (local.get 0) (local.get 1) (i32.const 512))
      (i32.const 512))
    (func (export "get-all") (result i32)
      (call $get-all (i32.const 512))
      (i32.const 512)))
  (core instance $instance (instantiate $guest (with "host" (instance
    (export "get" (func $get)) (export "get-all" (func $get-all))))))
  (type $failed' (variant (case "upstream" string) (case "io" string)))
  (export $failed "failed" (type $failed'))
  (func (export "get") (param "key" string) (result (result (option string) (error $failed)))
    (canon lift (core func $instance "get") (memory $bytes) (realloc $realloc)))
  (func (export "get-all") (result (result (list (tuple string string)) (error $failed)))
    (canon lift (core func $instance "get-all") (memory $bytes) (realloc $realloc))))
