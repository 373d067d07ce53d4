;; A core module, which is not a component: refused at load, by name.
(module
  (func (export "run") (result i32) i32.const 1))
