// Package repotest holds tests about the repository itself: who may import
// whom, that every package says what it is, that nothing is configured at
// import time. It has no code of its own.
package repotest
