# Rscript reference.R > raw_output.txt   (in this folder). Debian 12: r-cran-survival.
suppressPackageStartupMessages(library(survival))
options(digits = 12)
d <- read.csv("events.csv"); out <- NULL
put <- function(model, quantity, value) out <<- rbind(out, data.frame(model, quantity, value = sprintf("%.14g", value)))
for (model in c("plain", "stratified")) {
  f <- if (model == "plain") Surv(month, event) ~ arm else Surv(month, event) ~ arm + strata(stratum)
  test <- survdiff(f, d); print(test)
  obs <- if (is.matrix(test$obs)) rowSums(test$obs) else test$obs
  exp_ <- if (is.matrix(test$exp)) rowSums(test$exp) else test$exp
  put(model, "observed", obs[2]); put(model, "expected", exp_[2])
  put(model, "variance", test$var[2, 2]); put(model, "chisq", test$chisq)
  cox <- coxph(f, d, ties = "efron", control = coxph.control(eps = 1e-14, toler.chol = 1e-15)); print(summary(cox))
  put(model, "log_hazard_ratio", coef(cox)["arm"]); put(model, "cox_se", sqrt(vcov(cox)["arm", "arm"]))
}
write.csv(out, "reference.csv", row.names = FALSE, quote = FALSE)
