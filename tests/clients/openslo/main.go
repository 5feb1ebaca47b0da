// Reads OpenSLO files with the SDK of the OpenSLO project and prints, as one JSON object a file, whether it accepts
// them, and the numbers that it read of the SLOs.
package main

import (
	"bytes"
	"encoding/json"
	"os"

	"github.com/OpenSLO/go-sdk/pkg/openslo"
	v1 "github.com/OpenSLO/go-sdk/pkg/openslo/v1"
	"github.com/OpenSLO/go-sdk/pkg/openslosdk"
)

type objective struct {
	Name     string   `json:"name"`
	Target   *float64 `json:"target"`
	Percent  *float64 `json:"percent"`
	Window   string   `json:"window"`
	Zone     string   `json:"zone"`
	Method   string   `json:"method"`
	Slice    string   `json:"slice"`
	SliceOf  *float64 `json:"slice_target"`
	Good     any      `json:"good"`
	Bad      any      `json:"bad"`
	Total    any      `json:"total"`
}

type answer struct {
	File       string      `json:"file"`
	Error      string      `json:"error"`
	Objectives []objective `json:"objectives"`
}

func read(file string) (answer, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return answer{}, err
	}
	objects, err := openslosdk.Decode(bytes.NewReader(text), openslosdk.FormatYAML)
	if err != nil {
		return answer{}, err
	}
	if err := openslosdk.Validate(objects...); err != nil {
		return answer{}, err
	}
	// A reference to what is not there shows only when it is followed.
	objects, err = openslosdk.NewReferenceInliner(objects...).Inline()
	if err != nil {
		return answer{}, err
	}
	read := answer{}
	for _, object := range objects {
		if object.GetKind() == openslo.KindSLO {
			read.Objectives = append(read.Objectives, numbers(object.(v1.SLO)))
		}
	}
	return read, nil
}

func numbers(slo v1.SLO) objective {
	row, window := slo.Spec.Objectives[0], slo.Spec.TimeWindow[0]
	read := objective{
		Name:    slo.GetName(),
		Target:  row.Target,
		Percent: row.TargetPercent,
		Window:  window.Duration.String(),
		Method:  string(slo.Spec.BudgetingMethod),
		SliceOf: row.TimeSliceTarget,
	}
	if row.TimeSliceWindow != nil {
		read.Slice = row.TimeSliceWindow.String()
	}
	if window.Calendar != nil {
		read.Zone = window.Calendar.TimeZone
	}
	if slo.Spec.Indicator != nil && slo.Spec.Indicator.Spec.RatioMetric != nil {
		ratio := slo.Spec.Indicator.Spec.RatioMetric
		read.Good, read.Bad, read.Total = query(ratio.Good), query(ratio.Bad), query(ratio.Total)
	}
	return read
}

func query(metric *v1.SLIMetricSpec) any {
	if metric == nil {
		return nil
	}
	return metric.MetricSource.Spec["query"]
}

func main() {
	out := json.NewEncoder(os.Stdout)
	for _, file := range os.Args[1:] {
		read, err := read(file)
		if err != nil {
			read.Error = err.Error()
		}
		read.File = file
		if err := out.Encode(read); err != nil {
			os.Exit(1)
		}
	}
}
