// Command render-chart writes a chart's manifests to standard output, as `helm template` does: with Helm's own engine, and without the
// rest of Helm, which takes longer to compile than all that it is wanted for here.
//
//	render-chart CHART-DIRECTORY RELEASE NAMESPACE VALUES-FILE
package main

import (
	"fmt"
	"log"
	"os"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/releaseutil"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 5 {
		log.Fatal("usage: render-chart CHART-DIRECTORY RELEASE NAMESPACE VALUES-FILE")
	}
	manifests, err := render(os.Args[1], os.Args[2], os.Args[3], os.Args[4])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(manifests)
}

func render(directory, release, namespace, valuesFile string) (string, error) {
	chart, err := loader.Load(directory)
	if err != nil {
		return "", err
	}
	values, err := chartutil.ReadValuesFile(valuesFile)
	if err != nil {
		return "", err
	}
	if err := chartutil.ProcessDependencies(chart, values); err != nil {
		return "", err
	}
	options := chartutil.ReleaseOptions{Name: release, Namespace: namespace, Revision: 1, IsInstall: true}
	values, err = chartutil.ToRenderValues(chart, values, options, chartutil.DefaultCapabilities)
	if err != nil {
		return "", err
	}
	files, err := engine.Render(chart, values)
	if err != nil {
		return "", err
	}
	for name := range files {
		if strings.HasSuffix(name, "NOTES.txt") {
			delete(files, name)
		}
	}
	hooks, manifests, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil {
		return "", err
	}
	// What a hook would do, nobody here does: better no manifests than some.
	if len(hooks) > 0 {
		return "", fmt.Errorf("%s has a hook, %s, and nothing here runs hooks", directory, hooks[0].Path)
	}
	var all strings.Builder
	for _, manifest := range manifests {
		fmt.Fprintf(&all, "---\n# Source: %s\n%s\n", manifest.Name, manifest.Content)
	}
	return all.String(), nil
}
