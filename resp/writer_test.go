package resp_test

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"conclave/resp"
)

func TestWriter(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		write      func(w *resp.Writer)
		two, three string
	}{
		{"ok", func(w *resp.Writer) { w.OK() }, "+OK·", "+OK·"},
		{"simple", func(w *resp.Writer) { w.Simple("a\r\nb") }, "+a  b·", "+a  b·"},
		{"error", func(w *resp.Writer) { w.Error("ERR a\nb") }, "-ERR a b·", "-ERR a b·"},
		{"int", func(w *resp.Writer) { w.Int(-5) }, ":-5·", ":-5·"},
		{"bulk", func(w *resp.Writer) { w.Bulk([]byte("a\r\nb")) }, "$4·a·b·", "$4·a·b·"},
		{"bulk int", func(w *resp.Writer) { w.BulkInt(-12) }, "$3·-12·", "$3·-12·"},
		{"null", func(w *resp.Writer) { w.Null() }, "$-1·", "_·"},
		{"null array", func(w *resp.Writer) { w.NullArray() }, "*-1·", "_·"},
		{"array", func(w *resp.Writer) { w.Array(2) }, "*2·", "*2·"},
		{"map", func(w *resp.Writer) { w.Map(2) }, "*4·", "%2·"},
		{"set", func(w *resp.Writer) { w.Set(2) }, "*2·", "~2·"},
		{"push", func(w *resp.Writer) { w.Push(2) }, "*2·", ">2·"},
		{"true", func(w *resp.Writer) { w.Bool(true) }, ":1·", "#t·"},
		{"false", func(w *resp.Writer) { w.Bool(false) }, ":0·", "#f·"},
		{"double", func(w *resp.Writer) { w.Double(1.5) }, "$3·1.5·", ",1.5·"},
		{"infinity", func(w *resp.Writer) { w.Double(math.Inf(-1)) }, "$4·-inf·", ",-inf·"},
		{"big number", func(w *resp.Writer) { w.BigNumber("123") }, "$3·123·", "(123·"},
		{"verbatim", func(w *resp.Writer) { w.Verbatim("txt", "ab") }, "$2·ab·", "=6·txt:ab·"},
	} {
		for proto, want := range map[int]string{2: tt.two, 3: tt.three} {
			var w resp.Writer
			w.SetProto(proto)
			tt.write(&w)
			if got := strings.ReplaceAll(string(w.Bytes()), "\r\n", "·"); got != want {
				t.Errorf("%s in RESP%d: got %q, want %q", tt.name, proto, got, want)
			}
		}
	}
}

func TestWriterTruncate(t *testing.T) {
	t.Parallel()
	var w resp.Writer
	w.OK()
	n := w.Len()
	w.Int(5)
	w.Truncate(n)
	w.Null()
	if got := string(w.Bytes()); got != "+OK\r\n$-1\r\n" {
		t.Errorf("got %q", got)
	}
}

// Redis 7.2 writes whole numbers up to 2^62 as such; the layout of others is that
// of fpconv_dtoa.
func TestAppendDouble(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   float64
		want string
	}{
		{0, "0"}, {math.Copysign(0, -1), "-0"}, {1, "1"}, {-3, "-3"}, {3.5, "3.5"}, {-0.1, "-0.1"},
		{1e10, "10000000000"}, {1e15, "1000000000000000"}, {1e17, "100000000000000000"}, {-1e18, "-1000000000000000000"}, {1e20, "1e+20"}, {1e21, "1e+21"},
		{4503599627370495, "4503599627370495"}, {4503599627370496, "4503599627370496"},
		{123456789012345680, "123456789012345680"}, {4611686018427387904, "4611686018427387904"},
		{1.5e300, "1.5e+300"}, {1.7976931348623157e308, "1.7976931348623157e+308"}, {5e-324, "5e-324"},
		{0.0001, "0.0001"}, {1e-5, "0.00001"}, {1e-6, "0.000001"}, {1e-7, "1e-7"}, {0.00001234, "1.234e-5"},
		{1.0 / 3, "0.3333333333333333"}, {12345678.9, "12345678.9"}, {1234567890123456.7, "1234567890123456.8"},
		{-1.5e-10, "-1.5e-10"}, {123456.7891234567, "1.234567891234567e+5"}, {1234.0000001, "1234.0000001"}, {12345.12345678, "1.234512345678e+4"},
		{math.Inf(1), "inf"}, {math.Inf(-1), "-inf"}, {math.NaN(), "nan"},
	} {
		got := string(resp.AppendDouble(nil, tt.in))
		if got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.in, got, tt.want)
		}
		if back, err := strconv.ParseFloat(got, 64); err != nil || (back != tt.in && !math.IsNaN(tt.in)) {
			t.Errorf("%q reads back as %v, %v", got, back, err)
		}
	}
}
