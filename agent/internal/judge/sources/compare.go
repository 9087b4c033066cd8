package sources

import (
	"slices"

	"buzon/agent/policy"
)

// Expected is what a template says about a subject that was read elsewhere,
// under one outcome of the template's conditions.
type Expected struct {
	File    string
	Sources []policy.Source
	Symbols policy.Symbols
}

// compare gives each subject what the template says about it; one that the
// template doesn't know gets an empty list. The template is read as it would be
// deployed for the bucket in question.
func (l *loader) compare(subjects []Subject) error {
	other := *l
	other.sel.Path = "/"
	others, err := other.readTemplate(l.sel.Compare)
	if err != nil {
		return err
	}
	for i := range subjects {
		s := &subjects[i]
		s.Expected = []Expected{}
		for j := range others {
			e := &others[j]
			if !means(s.Set.Subject.ARN, &e.Set.Subject) {
				continue
			}
			kept := slices.DeleteFunc(slices.Clone(e.Set.Sources), func(src policy.Source) bool {
				// Guards of other buckets and trust policies of other roles.
				return src.Kind == policy.BucketPolicy && src.Attached != "arn:"+s.Set.Subject.Partition+":s3:::"+s.Set.Bucket ||
					src.Kind == policy.Trust && src.Attached != e.Set.Subject.ARN
			})
			s.Expected = append(s.Expected, Expected{File: l.sel.Compare, Sources: kept, Symbols: e.Set.Symbols})
		}
	}
	return nil
}
