;; Opens a path that is not UTF-8 in the first folder that it was granted, and answers with 1 if the host
;; refused to, as the interface has it.
(component
  (import "wasi:filesystem/types@0.2.0" (instance $types
    (export "descriptor" (type $descriptor (sub resource)))
    (type $path-flags0 (flags "symlink-follow"))
    (export "path-flags" (type $path-flags (eq $path-flags0)))
    (type $open-flags0 (flags "create" "directory" "exclusive" "truncate"))
    (export "open-flags" (type $open-flags (eq $open-flags0)))
    (type $descriptor-flags0 (flags "read" "write" "file-integrity-sync" "data-integrity-sync"
      "requested-write-sync" "mutate-directory"))
    (export "descriptor-flags" (type $descriptor-flags (eq $descriptor-flags0)))
    (type $error-code0 (enum "access" "would-block" "already" "bad-descriptor" "busy" "deadlock" "quota"
      "exist" "file-too-large" "illegal-byte-sequence" "in-progress" "interrupted" "invalid" "io"
      "is-directory" "loop" "too-many-links" "message-size" "name-too-long" "no-device" "no-entry"
      "no-lock" "insufficient-memory" "insufficient-space" "not-directory" "not-empty"
      "not-recoverable" "unsupported" "no-tty" "no-such-device" "overflow" "not-permitted" "pipe"
      "read-only" "invalid-seek" "text-file-busy" "cross-device"))
    (export "error-code" (type $error-code (eq $error-code0)))
    (export "[method]descriptor.open-at" (func
      (param "self" (borrow $descriptor)) (param "path-flags" $path-flags) (param "path" string)
      (param "open-flags" $open-flags) (param "flags" $descriptor-flags)
      (result (result (own $descriptor) (error $error-code)))))))
  (alias export $types "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
    (alias outer 1 $descriptor (type $outer))
    (export "descriptor" (type $descriptor' (eq $outer)))
    (export "get-directories" (func (result (list (tuple (own $descriptor') string)))))))
  (core module $memory
    (memory (export "memory") 1)
    (data (i32.const 16) "\ff\fe")
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
  (core func $get (canon lower (func $preopens "get-directories") (memory $bytes) (realloc $realloc)))
  (core func $open (canon lower (func $types "[method]descriptor.open-at") (memory $bytes) (realloc $realloc)))
  (core module $guest
    (import "host" "memory" (memory 1))
    (import "host" "get" (func $get (param i32)))
    (import "host" "open" (func $open (param i32 i32 i32 i32 i32 i32 i32)))
    (func (export "run") (result i32)
      (call $get (i32.const 512))
      (call $open
        (i32.load (i32.load (i32.const 512)))
        (i32.const 0) (i32.const 16) (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 528))
      (i32.load8_u (i32.const 528))))
  (core instance $instance (instantiate $guest (with "host" (instance
    (export "memory" (memory $bytes)) (export "get" (func $get)) (export "open" (func $open))))))
  (func (export "run") (result u32) (canon lift (core func $instance "run"))))
