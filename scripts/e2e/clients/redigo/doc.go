// Command redigo runs the scenario with redigo and redisc, or goes through the
// families of commands.
package main
