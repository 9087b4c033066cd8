// Command example is somebody else's CDK app: a stack of its own with a mailbox in
// it, and a role that depends on the mailbox. Its go.mod makes it another module.
//
//	CDK_OUTDIR=cdk.out go run .
//	agent audit-policy --template cdk.out/Intake.template.json --path /laboratories/
package main

import (
	"buzon/infra/mailbox"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// NewIntake makes a stack that takes files from two laboratories, and a role that
// may look at the rules of it.
func NewIntake(scope constructs.Construct, id string) awscdk.Stack {
	stack := awscdk.NewStack(scope, jsii.String(id), nil)
	box := mailbox.New(stack, jsii.String("Mailbox"), &mailbox.Props{
		UploadPrefix: "in/", Path: "/laboratories/", ExpireDays: 400, EventBridge: true,
	})
	for _, name := range []string{"lab-lisbon", "lab-lima"} {
		box.AddUploader(name)
	}
	box.AddOutputs()
	awsiam.NewRole(stack, jsii.String("Reviewer"), &awsiam.RoleProps{
		AssumedBy:       awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
		ManagedPolicies: &[]awsiam.IManagedPolicy{box.AuditorPolicy()},
	}).Node().AddDependency(box)
	return stack
}

func main() {
	defer jsii.Close()
	app := awscdk.NewApp(nil)
	NewIntake(app, "Intake")
	app.Synth(nil)
}
