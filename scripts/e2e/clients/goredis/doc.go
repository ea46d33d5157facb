// Command goredis runs the scenario with go-redis, or goes through the families
// of commands.
package main
