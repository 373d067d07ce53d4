;; Traps in the destructor of its own resource: `run` when it drops one, `leave` when it leaves one
;; behind for whoever cleans up.
(component
  (core module $destructor
    (func (export "drop") (param i32) unreachable))
  (core instance $destructor (instantiate $destructor))
  (type $resource (resource (rep i32) (dtor (core func $destructor "drop"))))
  (core func $new (canon resource.new $resource))
  (core func $drop (canon resource.drop $resource))
  (core module $guest
    (import "resource" "new" (func $new (param i32) (result i32)))
    (import "resource" "drop" (func $drop (param i32)))
    (func (export "run") (result i32)
      (call $drop (call $new (i32.const 1)))
      i32.const 1)
    (func (export "leave") (result i32)
      (drop (call $new (i32.const 1)))
      i32.const 1))
  (core instance $instance (instantiate $guest
    (with "resource" (instance (export "new" (func $new)) (export "drop" (func $drop))))))
  (func (export "run") (result u32) (canon lift (core func $instance "run")))
  (func (export "leave") (result u32) (canon lift (core func $instance "leave"))))
