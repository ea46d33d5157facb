package commands

import (
	"fmt"
	"strconv"
)

// fields appends INFO's lines to a section.
type fields struct{ b []byte }

func (f *fields) str(name, value string) {
	f.b = append(f.b, name...)
	f.b = append(f.b, ':')
	// A value from outside (a path, a version) must not start a line of its own.
	for i := range len(value) {
		if ch := value[i]; ch == '\r' || ch == '\n' {
			f.b = append(f.b, ' ')
		} else {
			f.b = append(f.b, ch)
		}
	}
	f.b = append(f.b, "\r\n"...)
}

func (f *fields) num(name string, n int64) {
	f.b = append(f.b, name...)
	f.b = append(f.b, ':')
	f.b = strconv.AppendInt(f.b, n, 10)
	f.b = append(f.b, "\r\n"...)
}

// nums appends the same number under several names.
func (f *fields) nums(n int64, names ...string) {
	for _, name := range names {
		f.num(name, n)
	}
}

func (f *fields) flag(name string, v bool) {
	if v {
		f.num(name, 1)
		return
	}
	f.num(name, 0)
}

func (f *fields) ratio(name string, v float64) { f.str(name, strconv.FormatFloat(v, 'f', 2, 64)) }

// size appends bytes and, as name_human, the same for people.
func (f *fields) size(name string, n int64) {
	f.num(name, n)
	f.str(name+"_human", human(n))
}

func human(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(n, 10) + "B"
	}
	v := float64(n) / 1024
	for _, unit := range "KMGT" {
		if v < 1024 {
			return fmt.Sprintf("%.2f%c", v, unit)
		}
		v /= 1024
	}
	return fmt.Sprintf("%.2fP", v)
}

// percent is part of whole, as INFO prints shares.
func percent(part, whole int64) string {
	if whole == 0 {
		return "0.00%"
	}
	return fmt.Sprintf("%.2f%%", float64(part)/float64(whole)*100)
}
