package fsm

import "io"

// Encode x
func (s *State) Encode(w io.Writer) error { return nil }
func (s *State) Hash() uint64             { return 0 }
func (s *State) Check() error             { return nil }
func Decode(r io.Reader) (*State, error)  { return nil, nil }
