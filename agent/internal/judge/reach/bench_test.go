package reach

import (
	"testing"

	"buzon/agent/internal/judge/judgetest"
)

// The speeds of the auditor, with its own questions and over AWS's managed
// policies and an account of a thousand users, are measured in package audit;
// here is what the engine takes for one principal, with a Space that has seen
// such principals before.

// benchmarkSet asks in short what an auditor asks: everything but the contract,
// every action of the catalogue.
func benchmarkSet(b *testing.B, docs ...doc) {
	b.Helper()
	set := makeSet(b, theUser(), docs...)
	space := NewSpace()
	judge := func() {
		e := New(set, Options{Now: judgetest.Now, Space: space})
		e.Find(Question{Resources: Except(prefix)})
		e.Covers(prefix, AgentCalls())
		e.Grants()
	}
	judge()
	b.ReportAllocs()
	for b.Loop() {
		judge()
	}
}

func BenchmarkWriteOnly(b *testing.B) { benchmarkSet(b, doc{"user-inline", allowPut}) }

func BenchmarkGuardedUploader(b *testing.B) {
	benchmarkSet(b, doc{"user-inline", allowPut}, doc{"group-managed", allowS3},
		doc{"boundary", `{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::slot/uploads/vm-01/*"}`},
		inBucket(appendOnly, `{"Effect": "Deny", "Principal": "*", "NotAction": "s3:PutObject", "Resource": ["arn:aws:s3:::slot", "arn:aws:s3:::slot/*"], "Condition": {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:user/buzon/*"}}}`))
}

func BenchmarkFullAccess(b *testing.B) { benchmarkSet(b, doc{"user-managed", allowS3}) }

func BenchmarkAdministrator(b *testing.B) { benchmarkSet(b, doc{"user-managed", allowAll}) }

// BenchmarkColdAdministrator is the same in a Space that has seen nothing: the
// shapes of the resources of all services are made.
func BenchmarkColdAdministrator(b *testing.B) {
	set := makeSet(b, theUser(), doc{"user-managed", allowAll})
	for b.Loop() {
		engine(set).Find(Question{Resources: Except(prefix)})
	}
}
