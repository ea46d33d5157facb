package acl

import (
	"slices"
	"strings"

	"conclave/resp/command"
)

func categoryNamed(name string) (string, bool) {
	name = strings.ToLower(name)
	return name, slices.Contains(command.CategoryNames(), name)
}

func inCategory(s *command.Spec, name string) bool { return slices.Contains(s.Categories(), name) }
