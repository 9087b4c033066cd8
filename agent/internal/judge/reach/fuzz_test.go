package reach

import (
	"testing"

	"buzon/agent/internal/judge/decide"
	"buzon/agent/internal/judge/judgetest"
	"buzon/agent/policy"
)

// drawer draws numbers from bytes, and zeros when they are used up.
type drawer struct{ data []byte }

func (d *drawer) IntN(n int) int {
	if len(d.data) == 0 {
		return 0
	}
	x := int(d.data[0])
	d.data = d.data[1:]
	return x % n
}

// FuzzReach builds a set from bytes and reads one more document leniently from a
// text, as AWS might have accepted it: nothing panics, what is certain is
// allowed, what is allowed may be, and every witness is allowed.
func FuzzReach(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09"), "")
	f.Add([]byte("the quick brown fox jumps over the lazy dog, again and again and again"), `{"Version": "2012-10-17", "Statement": `+allowAll+`}`)
	f.Add([]byte{}, `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "NotAction": "s3:Put*", "NotResource": "arn:aws:s3:::${aws:userid}/*"}}`)
	f.Add([]byte{200, 100, 50, 25, 12, 6, 3}, `{"Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"StringWhatever": {"aws:TagKeys": "a"}}}]}`)
	f.Add([]byte{9}, `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "?3:*", "Resource": "*", "Condition": {"ForAnyValue:NumericLessThanIfExists": {"aws:TagKeys": ["1", "2"]}, "DateEquals": {"aws:EpochTime": "2027"}, "BinaryEquals": {"aws:UserAgent": "YQ=="}}}}`)
	space, fuzzed := NewSpace(), 0
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		c := &drawer{data}
		set := judgetest.Set(c)
		if doc, err := policy.Parse("f", []byte(text), policy.ParseOptions{Grammar: policy.Identity, Lenient: true}); err == nil {
			set.Sources = append(set.Sources, policy.Source{Kind: policy.UserInline, Document: doc})
		}
		if fuzzed++; fuzzed%500 == 0 {
			space = NewSpace()
		}
		e := New(set, Options{Now: judgetest.Now, Space: space, Budget: Budget{States: 2000, Boxes: 2000}})
		oracle := decide.New(set)
		var questions []question
		for range 3 {
			questions = append(questions, randomQuestion(c))
		}
		if c.IntN(16) == 15 {
			questions = append(questions, question{q: Question{}})
		}
		var n count
		for i := range questions {
			questions[i].a = e.Find(questions[i].q)
			if questions[i].q.Actions != nil {
				n.check(t, 0, set, oracle, &questions[i])
			} else if w := questions[i].a.Witness; questions[i].a.Kind == Found && replay(set, w) != decide.Allowed {
				t.Fatalf("the witness %+v is %v\n%s", w, replay(set, w), describe(set))
			}
		}
		e.Covers("arn:aws:s3:::slot/p/*", AgentCalls())
		e.Grants()
		for range 4 {
			req := judgetest.Request(c, set)
			e.Stopped(Witness{Action: req.Action, Resource: req.Resource, Bucket: req.Bucket, Context: req.Context})
			compare(t, &n, 0, set, e, oracle, questions, req)
		}
	})
}
