;; Makes handles to its own resource and keeps them: so many, which it then tells, or without end.
(component
  (type $resource (resource (rep i32)))
  (core func $new (canon resource.new $resource))
  (core module $guest
    (import "resource" "new" (func $new (param i32) (result i32)))
    (func (export "run") (param $count i32) (result i32)
      (local $made i32)
      (block $enough
        (loop $again
          (br_if $enough (i32.ge_u (local.get $made) (local.get $count)))
          (drop (call $new (i32.const 1)))
          (local.set $made (i32.add (local.get $made) (i32.const 1)))
          (br $again)))
      (local.get $made)))
  (core instance $instance (instantiate $guest
    (with "resource" (instance (export "new" (func $new))))))
  (func (export "run") (param "count" u32) (result u32) (canon lift (core func $instance "run"))))
