;; A few kilobytes of memory that stand for 33 million values: 512 lists that all name the same
;; 65,536 booleans. A limit on the guest's memory does not bound what its answer grows to.
(component
  (core module $guest
    (memory (export "memory") 2)
    (func (export "run") (result i32)
      (local $at i32)
      (local.set $at (i32.const 65536))
      (loop $next
        (i32.store (local.get $at) (i32.const 0))
        (i32.store (i32.add (local.get $at) (i32.const 4)) (i32.const 65536))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br_if $next (i32.lt_u (local.get $at) (i32.const 69632))))
      (i32.store (i32.const 131064) (i32.const 65536))
      (i32.store (i32.const 131068) (i32.const 512))
      (i32.const 131064)))
  (core instance $instance (instantiate $guest))
  (func (export "run") (result (list (list bool)))
    (canon lift (core func $instance "run") (memory (core memory $instance "memory")))))
