// Command rueidis runs the scenario with rueidis, or goes through the families of
// commands.
package main
