;; Grows a table by what it is told. Gives the size before, or -1 where it was refused.
(component
  (core module $guest
    (table $table 1 funcref)
    (func (export "grow") (param $by i32) (result i32)
      (table.grow $table (ref.null func) (local.get $by))))
  (core instance $instance (instantiate $guest))
  (func (export "grow") (param "by" u32) (result s32) (canon lift (core func $instance "grow"))))
