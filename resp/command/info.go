package command

// InfoSection is one section of INFO. Each room declares its own; the server
// prints them in the order in which they were wired.
type InfoSection struct {
	Name string // lower case, as in INFO's argument: "server"
	// Title is printed after "# "; empty = Name with a capital first letter.
	Title string
	// Extra sections (commandstats, latencystats) are printed for "all",
	// "everything" and their own name only, not by a plain INFO.
	Extra bool
	// Write appends "field:value\r\n" lines.
	Write func(b []byte) []byte
}
