// Package config is everything a node can be told: one typed [Config], and one
// row per directive that says how its value is read, checked, printed and
// whether it may change while the server runs. The configuration file, the
// command line, CONFIG GET, SET and REWRITE and docs/configuration.md are all
// served from these rows; nothing is said twice.
//
// A Config is immutable once loaded. A [Store] holds the current one behind an
// atomic pointer: readers take [Store.Current] once per unit of work and see
// one consistent state; a change publishes a new Config.
//
// Names, defaults, units, ranges and error texts are redis-server's. A
// directive of Redis whose feature isn't there yet is known by name and refused
// with that reason, save for the value that switches the feature off, which is
// accepted: it asks for what is the case.
package config
