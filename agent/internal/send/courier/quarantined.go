package courier

import (
	"time"

	"buzon/agent/internal/send/journal"
)

// EachQuarantined calls each for every file in quarantine, in the order in which they were accepted. It ends with
// each's first error.
func EachQuarantined(j *journal.Journal, each func(Aside) error) error {
	for place := uint64(0); ; {
		list, err := j.Quarantine(place, mostListed)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, e := range list {
			place = e.Seq
			err := each(Aside{
				Path: legible(sourceOf(j, e)), Size: e.Size, Reason: e.Reason.Code, Detail: e.Reason.Detail, At: time.Unix(0, e.Reason.At).UTC(),
			})
			if err != nil {
				return err
			}
		}
	}
}
