// k6, with one output more: see the package records.
package main

import (
	"go.k6.io/k6/cmd"

	_ "faultline.dev/k6/records"
)

func main() { cmd.Execute() }
