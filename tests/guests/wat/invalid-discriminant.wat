;; Answers with a case that its enum does not have.
(component
  (core module $guest
    (func (export "run") (result i32) i32.const 99))
  (core instance $instance (instantiate $guest))
  (type $color' (enum "red" "green"))
  (export $color "color" (type $color'))
  (func (export "run") (result $color) (canon lift (core func $instance "run"))))
