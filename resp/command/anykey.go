package command

// AnyKeyReader is what [Permissions] may also be.
type AnyKeyReader interface {
	// ReadsAnyKey reports whether the user may make a call that reads keys which
	// it doesn't name (SORT with BY or GET).
	ReadsAnyKey(spec *Spec, args [][]byte) bool
}

// ReadsAnyKey reports whether the call may read keys that it doesn't name.
func (c *Ctx) ReadsAnyKey() bool {
	s, ok := c.Session.(interface{ Permissions() Permissions })
	if !ok {
		return true
	}
	p := s.Permissions()
	if p == nil || p.Unrestricted() {
		return true
	}
	r, ok := p.(AnyKeyReader)
	return ok && r.ReadsAnyKey(c.Spec, c.Args)
}
