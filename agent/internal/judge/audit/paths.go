package audit

import (
	"slices"
	"sync"
)

// sessions are the actions of STS that make the caller somebody else.
var sessions = []string{
	"sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity", "sts:AssumeRoot",
	"sts:GetDelegatedAccessToken", "sts:GetFederationToken", "sts:TagSession", "sts:SetContext",
	"sts:SetSourceIdentity",
}

// keyWithdrawals make everything that a KMS key encrypts unreadable.
var keyWithdrawals = []string{
	"kms:DisableKey", "kms:ScheduleKeyDeletion", "kms:DeleteImportedKeyMaterial", "kms:DisconnectCustomKeyStore",
	"kms:DeleteCustomKeyStore", "kms:UpdateKeyDescription",
}

// escalations are the actions of other services by which a principal gets hold
// of rights that it was not given: a service that acts with a role passed to it
// or already its own, a door that vends credentials, a grant on a key.
var escalations = sync.OnceValue(func() []string {
	list := []string{
		// A grant on a key, or the key's own policy.
		"kms:CreateGrant", "kms:PutKeyPolicy", "kms:ReplicateKey",
		// Code that runs with a role.
		"lambda:CreateFunction", "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration",
		"lambda:InvokeFunction", "lambda:AddPermission", "lambda:CreateEventSourceMapping", "lambda:AddLayerVersionPermission",
		"lambda:CreateFunctionUrlConfig", "lambda:InvokeFunctionUrl",
		"ec2:RunInstances", "ec2:AssociateIamInstanceProfile", "ec2:ReplaceIamInstanceProfileAssociation",
		"ec2:ModifyInstanceAttribute", "ec2:RequestSpotInstances", "ec2:RequestSpotFleet", "ec2:CreateFleet",
		"ec2:CreateLaunchTemplateVersion", "ec2-instance-connect:SendSSHPublicKey", "ec2-instance-connect:SendSerialConsoleSSHPublicKey",
		"autoscaling:CreateLaunchConfiguration", "autoscaling:CreateAutoScalingGroup", "autoscaling:UpdateAutoScalingGroup",
		"ecs:RunTask", "ecs:StartTask", "ecs:RegisterTaskDefinition", "ecs:CreateService", "ecs:UpdateService", "ecs:ExecuteCommand",
		"eks:CreateAccessEntry", "eks:AssociateAccessPolicy", "eks:UpdateClusterConfig",
		"batch:SubmitJob", "batch:RegisterJobDefinition",
		"glue:CreateJob", "glue:UpdateJob", "glue:StartJobRun", "glue:CreateDevEndpoint", "glue:UpdateDevEndpoint",
		"glue:CreateSession", "glue:CreateTrigger",
		"sagemaker:CreateNotebookInstance", "sagemaker:CreatePresignedNotebookInstanceUrl", "sagemaker:CreateTrainingJob",
		"sagemaker:CreateProcessingJob", "sagemaker:CreatePresignedDomainUrl", "sagemaker:CreateNotebookInstanceLifecycleConfig",
		"sagemaker:UpdateNotebookInstanceLifecycleConfig", "sagemaker:CreateHyperParameterTuningJob",
		"codebuild:CreateProject", "codebuild:UpdateProject", "codebuild:StartBuild", "codebuild:StartBuildBatch",
		"codepipeline:CreatePipeline", "codepipeline:UpdatePipeline", "codepipeline:StartPipelineExecution",
		"codestar:CreateProject", "codedeploy:CreateDeployment",
		"cloudformation:CreateStack", "cloudformation:UpdateStack", "cloudformation:CreateChangeSet",
		"cloudformation:ExecuteChangeSet", "cloudformation:CreateStackSet", "cloudformation:UpdateStackSet",
		"cloudformation:CreateStackInstances", "cloudformation:SetStackPolicy", "cloudformation:CreateResource", "cloudformation:UpdateResource",
		"datapipeline:CreatePipeline", "datapipeline:PutPipelineDefinition", "datapipeline:ActivatePipeline",
		"states:CreateStateMachine", "states:UpdateStateMachine", "states:StartExecution", "states:StartSyncExecution", "states:TestState",
		"ssm:SendCommand", "ssm:StartSession", "ssm:StartAutomationExecution", "ssm:CreateAssociation", "ssm:UpdateAssociation",
		"ssm:CreateDocument", "ssm:UpdateDocument", "ssm:ResumeSession",
		"events:PutTargets", "events:PutRule", "scheduler:CreateSchedule", "scheduler:UpdateSchedule", "pipes:CreatePipe", "pipes:UpdatePipe",
		"elasticmapreduce:RunJobFlow", "elasticmapreduce:AddJobFlowSteps", "emr-serverless:StartJobRun", "emr-containers:StartJobRun",
		"elasticbeanstalk:CreateEnvironment", "elasticbeanstalk:UpdateEnvironment", "elasticbeanstalk:CreateApplicationVersion",
		"apprunner:CreateService", "apprunner:UpdateService", "lightsail:GetInstanceAccessDetails", "lightsail:DownloadDefaultKeyPair",
		"gamelift:RequestUploadCredentials", "gamelift:GetInstanceAccess", "gamelift:GetComputeAccess",
		"braket:CreateJob", "bedrock:CreateAgent", "bedrock-agentcore:CreateCodeInterpreter", "bedrock-agentcore:InvokeCodeInterpreter",
		"imagebuilder:CreateImage", "imagebuilder:CreateInfrastructureConfiguration",
		// Credentials that somebody else's role stands behind.
		"cognito-identity:GetCredentialsForIdentity", "cognito-identity:SetIdentityPoolRoles", "cognito-identity:GetOpenIdTokenForDeveloperIdentity",
		"lakeformation:GetDataAccess", "lakeformation:GetTemporaryGlueTableCredentials", "lakeformation:GrantPermissions",
		"redshift:GetClusterCredentials", "redshift:GetClusterCredentialsWithIAM", "eks-auth:AssumeRoleForPodIdentity",
		"secretsmanager:GetSecretValue", "secretsmanager:PutResourcePolicy", "ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath",
		// Copies and restored copies of what the bucket holds.
		"datasync:CreateTask", "datasync:StartTaskExecution", "datasync:CreateLocationS3",
		"backup:StartBackupJob", "backup:StartRestoreJob", "backup:StartCopyJob", "backup:CreateBackupPlan", "backup:CreateBackupSelection",
		"backup:CreateBackupAccessPoint", "backup:PutBackupVaultAccessPolicy",
		"ram:CreateResourceShare", "ram:AssociateResourceShare",
		"transfer:CreateUser", "transfer:UpdateUser", "transfer:CreateServer", "storagegateway:CreateNFSFileShare", "storagegateway:CreateSMBFileShare",
		"athena:StartQueryExecution", "athena:StartSession", "s3files:CreateFileSystem",
		// Who may do what, elsewhere than in IAM.
		"access-analyzer:ApplyArchiveRule", "account:DisableRegion", "identitystore:CreateGroupMembership",
		"controltower:DisableGuardrail", "resource-groups:PutGroupPolicy", "ecr:SetRepositoryPolicy", "ecr:PutImage",
		"sso-directory:AddMemberToGroup", "sso-directory:CreateBearerToken",
	}
	slices.Sort(list)
	return list
})
