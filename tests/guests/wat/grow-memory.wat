;; Grows a memory by what it is told, again and again: 100 steps, so that a limit that only looks at
;; one step is found. Gives the number of steps that were granted.
(component
  (core module $guest
    (memory 1)
    (func (export "grow") (param $pages i32) (result i32)
      (local $granted i32) (local $left i32)
      (local.set $left (i32.const 100))
      (loop $next
        (if (i32.ne (memory.grow (local.get $pages)) (i32.const -1))
          (then (local.set $granted (i32.add (local.get $granted) (i32.const 1)))))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br_if $next (local.get $left)))
      (local.get $granted)))
  (core instance $instance (instantiate $guest))
  (func (export "grow") (param "pages" u32) (result u32) (canon lift (core func $instance "grow"))))
