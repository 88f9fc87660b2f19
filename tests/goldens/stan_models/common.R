# Packages, data (../joint_model/{long,surv}_300.csv) and the summary that stan_jm.R and brms.R share.
suppressPackageStartupMessages({library(rstanarm); library(survival); library(brms)})
rstan::rstan_options(boost_lib = "/usr/include")  # where Debian keeps Boost, without which brms does not compile
long <- read.csv("../joint_model/long_300.csv")
surv <- read.csv("../joint_model/surv_300.csv")
long <- merge(long, surv[, c("id", "arm")], by = "id")
long <- long[order(long$id, long$time_months), ]
packages <- c("rstanarm", "brms", "rstan", "survival")
writeLines(c(R.version.string, paste(packages, sapply(packages, function(p) as.character(packageVersion(p))))), "versions.txt")
AT <- 8  # months, at which the level of the hazard is stated
rows <- NULL
flushed <- function(...) { cat(...); flush(stdout()) }

# Mean, SD, bulk ESS and R-hat of each column of draws, added to the rows and written as `model`.csv.
keep <- function(model, draws) {
  s <- rstan::monitor(array(as.matrix(draws), c(nrow(draws), 1, ncol(draws)), list(NULL, NULL, colnames(draws))), warmup = 0, print = FALSE)
  rows <<- rbind(rows, data.frame(model = model, parameter = colnames(draws), mean = colMeans(draws), sd = apply(draws, 2, sd),
                                  ess = s[, "Bulk_ESS"], rhat = s[, "Rhat"]))
  write.csv(format(rows, digits = 6), paste0(model, ".csv"), row.names = FALSE, quote = FALSE)
}
spread <- function(v11, v12, v22) data.frame("sd:intercept" = sqrt(v11), "sd:slope" = sqrt(v22), "corr" = v12 / sqrt(v11 * v22),
                                             check.names = FALSE)
took <- function(what, from) flushed(what, "took", round((proc.time() - from)[["user.self"]] + (proc.time() - from)[["user.child"]]), "CPU s\n")

