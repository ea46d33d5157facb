package config

import "testing"

func TestKeyEventsArePrintedInOrder(t *testing.T) {
	for given, want := range map[string]string{
		"": "", "KEA": "AKE", "KEAm": "AKEm", "KEg$n": "g$nKE", "EKmdtexzhsl$g": "AKEm", "Kd": "dK", "mnKg": "gnKm",
		"KEAn": "AnKE", // redis-server 7.0 prints no n beside A, and so loses it with CONFIG REWRITE
	} {
		c := Default()
		v := keyEvents(func(c *Config) *string { return &c.KeyEvents })
		if err := v.parse(c, []string{given}); err != nil {
			t.Errorf("%q: %v", given, err)
		}
		if got := v.format(c); got != want {
			t.Errorf("%q is printed as %q, want %q", given, got, want)
		}
		if err := v.parse(c, []string{given + "q"}); err != errKeyEvents {
			t.Errorf("%q with a letter that means nothing: %v", given, err)
		}
	}
}
